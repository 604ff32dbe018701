"""What a recording holds: the sound of it, and the words. Pure Python: nothing in this package imports Odoo.

    kinds           what a file is, by its first bytes
    decode          samples of a file, with the best decoder that is installed
    mp3             how long an MP3 is, without a decoder
    audio           channels, turns, waveform and quality of a sound
    capabilities    the optional parts, and what is lost without them
    talk            figures of a talk: shares, silence, interruptions, replies
    pieces          a recording cut into what a speech engine takes
    engine          what a speech engine heard
    guard           what an engine made up
    mask            card, identity and phone numbers taken out
    fold_text       words as they are searched, and what somebody searches

numpy, soundfile and ffmpeg are optional. Without them fewer formats are read, more slowly, and what
is read gives the same figures.
"""
