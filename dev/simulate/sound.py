"""Short recordings that can be heard: two voices that say nothing, as WAV of telephone quality."""

import io
import math
import random
import wave

RATE = 8000
VOICES = (112.0, 196.0)  # a low and a high voice, Hz
PART_SECONDS = 1.4
SILENCE = bytes([128])


def conversation(seconds: float, seed: str) -> bytes:
    """Voices that take turns in syllables of changing pitch, with pauses: ours on the first channel,
    the customer's on the second. The same seed sounds the same."""
    rng = random.Random(seed)
    sides = bytearray(), bytearray()
    turn = 0
    while len(sides[0]) < seconds * RATE:
        speaks, listens = sides[turn % 2], sides[1 - turn % 2]
        end = len(speaks) + int(PART_SECONDS * RATE * rng.uniform(0.6, 1.5))
        while len(speaks) < end:
            speaks += _syllable(rng, VOICES[turn % 2] * rng.uniform(0.9, 1.15))
        speaks += SILENCE * int(RATE * rng.uniform(0.15, 0.4))
        listens += SILENCE * (len(speaks) - len(listens))
        turn += 1
    frames = int(seconds * RATE)
    both = bytearray(2 * frames)
    both[::2], both[1::2] = sides[0][:frames], sides[1][:frames]
    file = io.BytesIO()
    with wave.open(file, 'wb') as sound:
        sound.setnchannels(2)
        sound.setsampwidth(1)
        sound.setframerate(RATE)
        sound.writeframes(bytes(both))
    return file.getvalue()


def _syllable(rng: random.Random, pitch: float) -> bytes:
    """A vowel: harmonics of the pitch, strongest near two formants, that swell and fade."""
    count = int(RATE * rng.uniform(0.09, 0.2))
    formants = rng.choice(((700, 1200), (400, 2000), (350, 800), (500, 1500)))
    harmonics = [
        (
            step * pitch,
            sum(math.exp(-(((step * pitch - formant) / 180) ** 2)) for formant in formants),
        )
        for step in range(1, int(2600 / pitch))
    ]
    harmonics = [(frequency, strength) for frequency, strength in harmonics if strength > 0.1]
    loud = 60 / max(sum(strength for _frequency, strength in harmonics), 1)
    return bytes(
        128
        + int(
            loud
            * math.sin(math.pi * place / count)
            * sum(
                strength * math.sin(2 * math.pi * frequency * place / RATE)
                for frequency, strength in harmonics
            )
        )
        for place in range(count)
    )
