"""The models: what each library wants to be asked, and how its answer becomes lines with seconds.

A library is imported when its engine is made, so the server runs with the one that is installed.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .utterances import FRAME, utterances

if TYPE_CHECKING:
    import numpy

# onnx-asr reads these rates.
RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)


class SoundError(Exception):
    """Raised when a sound cannot be read, or is asked for in a language that the model lacks. Its
    text is for whoever asked."""


@dataclass(frozen=True)
class Line:
    """What is said from `start` to `end`, in seconds of the sound. `sureness` is the mean logarithm of
    the probability of its tokens, `silence` the probability that nobody speaks."""

    start: float
    end: float
    text: str
    sureness: float = 0.0
    silence: float = 0.0


@dataclass(frozen=True)
class Answer:
    """`lines` are made while they are read: whoever reads no further saves the work. `language` is
    two letters, '' where the model does not tell."""

    seconds: float
    language: str
    lines: Iterator[Line]


class Engine(Protocol):
    """A model that is loaded and ready."""

    def transcribe(self, sound: bytes, language: str, hints: str) -> Answer:
        """Return what is said in a sound.

        :param sound: a file, as it came
        :param language: two letters; '' lets the model find out
        :param hints: names and words that may be said
        :raise SoundError: it cannot be read
        """


class FasterWhisper:
    """Whisper and its like in the format of CTranslate2."""

    def __init__(self, model: Path, threads: int = 0, **_options: str):
        from faster_whisper import WhisperModel

        self.model = WhisperModel(
            str(model), device='auto', compute_type='auto', cpu_threads=threads
        )

    def transcribe(self, sound: bytes, language: str, hints: str) -> Answer:
        if language and language not in self.model.supported_languages:
            raise SoundError(f'this model does not know the language {language!r}')
        try:
            segments, info = self.model.transcribe(
                io.BytesIO(sound),
                language=language or None,
                initial_prompt=hints or None,
                # poor sound makes Whisper repeat itself; what it said before leads it on
                condition_on_previous_text=False,
                temperature=0,
                beam_size=1,
                vad_filter=True,
            )
        except (
            ValueError,
            IndexError,
            OSError,
        ) as error:  # PyAV's errors are ValueErrors, OSErrors
            raise SoundError(f'the sound cannot be read: {error}') from error
        return Answer(
            info.duration,
            info.language,
            (
                Line(
                    segment.start,
                    segment.end,
                    segment.text,
                    segment.avg_logprob,
                    segment.no_speech_prob,
                )
                for segment in segments
            ),
        )


class OnnxAsr:
    """GigaAM, T-one, Vosk and the others of onnx-asr. They hear half a minute at most and tell no
    sentences, so a sound is cut into utterances."""

    def __init__(self, model: Path, threads: int = 0, kind: str = '', quantization: str = ''):
        import onnx_asr
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.kind = kind
        self.model = onnx_asr.load_model(
            kind, model, quantization=quantization or None, sess_options=options
        ).with_timestamps()

    def transcribe(self, sound: bytes, language: str, hints: str) -> Answer:
        samples, rate = _pcm(sound)
        options = {'language': language} if language and 'whisper' in self.kind else {}
        return Answer(len(samples) / rate, '', self._lines(samples, rate, options))

    def _lines(self, samples: numpy.ndarray, rate: int, options: dict[str, str]) -> Iterator[Line]:
        for start, end in utterances(_loudness(samples, rate)):
            part = samples[int(start * rate) : int(end * rate)]
            heard = self.model.recognize(part, sample_rate=rate, **options)
            if heard.text.strip():
                sure = [float(value) for value in heard.logprobs or ()]
                yield Line(start, end, heard.text, sum(sure) / len(sure) if sure else 0.0)


ENGINES = {'faster_whisper': FasterWhisper, 'onnx_asr': OnnxAsr}


def _pcm(sound: bytes) -> tuple[numpy.ndarray, int]:
    """The samples of a WAV file with one channel of 16 bits, from -1 to 1, and their rate."""
    import numpy

    try:
        with wave.open(io.BytesIO(sound)) as file:
            form = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise SoundError(f'the sound cannot be read: {error or "it is no WAV file"}') from error
    channels, width, rate = form
    if channels != 1 or width != 2 or rate not in RATES:
        raise SoundError(
            f'this engine reads WAV with one channel of 16 bits, not {channels} of {8 * width} at {rate} Hz'
        )
    samples = numpy.frombuffer(data[: len(data) // 2 * 2], '<i2')
    return samples.astype(numpy.float32) / 32768, rate


def _loudness(samples: numpy.ndarray, rate: int) -> list[float]:
    """The dB of each frame, below full scale."""
    import numpy

    size = int(rate * FRAME)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    return (10 * numpy.log10(numpy.mean(frames * frames, axis=1) + 1e-10)).tolist()
