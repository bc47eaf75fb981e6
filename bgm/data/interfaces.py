"""What trainings compose, `bgm doctor` examines and `bgm pack` packs, wherever it comes from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from bgm.data.resizing import cover_square, resize_subject
from bgm.pictures import File, to_tensor
from bgm.types import Batch, Sample


class PictureSource(ABC):
    """Pictures by index, from wherever they come.

    A new source derives from `SubjectSource` or `BackgroundSource`, writes `__len__`, `name` and
    `open`, and is named in a config: `data.train.subjects._target_=mypackage.MySource`. It is
    pickled to worker processes. What cannot be read raises BadInput. files: kind ("fgr", "pha",
    "rgba" or "bgr") -> picture file of every index, if it has files. A source whose files may go
    while a training stands still is a `HasFileSnapshot` as well.
    """

    files: Mapping[str, Sequence[File]] = {}

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def name(self, index: int) -> str:
        """A name that no other index has; frames of a clip share what is before the last slash."""

    @abstractmethod
    def open(self, index: int, short: int | None = None) -> Image.Image:
        """One subject as an "RGBA" picture, straight alpha, or one background as an "RGB" picture.

        With short perhaps a smaller one, whose short side is still >= short.
        """


@runtime_checkable
class HasFileSnapshot(Protocol):
    """A source that a resumed training opens with the files, and their order, that it began with.

    It takes the keyword snapshot: what `file_snapshot` returned then, a
    `bgm.data.loaders.file_snapshot.FileSnapshot`.
    """

    def file_snapshot(self) -> Any:
        """The files there are, for a run that goes on later."""


class SubjectSource(PictureSource):
    """Foreground colours and alpha of subjects, by index.

    has_fgr: the colours are the subject's own, not those of a photograph.
    """

    has_fgr: bool = True

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return pha (1, H, W) and fgr (3, H, W), uint8, as they are stored."""
        return split(self.open(index))

    def read(self, index: int, short: int) -> tuple[Tensor, Tensor]:
        """Return pha (1, H, W) and fgr (3, H, W), uint8, resized so that min(H, W) = short."""
        return split(resize_subject(self.open(index, short), short))


class BackgroundSource(PictureSource):
    """Backgrounds, by index."""

    def __getitem__(self, index: int) -> Tensor:
        """Return bgr (3, H, W), uint8, as it is stored."""
        return to_tensor(self.open(index))

    def read(self, index: int, size: int) -> Tensor:
        """Return the centred square of a background at (3, size, size), uint8."""
        return to_tensor(cover_square(self.open(index, size), size))


@runtime_checkable
class ResizableAugment(Protocol):
    """An augmentation that workers may run: a function of its samples and its setting alone.

    setting: size, and the range of the crop's sides, as `resize` sets them.
    """

    @property
    def setting(self) -> tuple[int, int, int]: ...

    def resize(self, size: int, crop: tuple[int, int]) -> None:
        """Work at another size from the next batch on."""

    def __call__(self, sample: Sample) -> Batch: ...


def split(subject: Image.Image) -> tuple[Tensor, Tensor]:
    """pha (1, H, W) and fgr (3, H, W), uint8, of an "RGBA" picture."""
    x = to_tensor(subject)
    return x[3:], x[:3]


def get_samples(dataset: Dataset[Sample], draws: list[int]) -> list[Sample]:
    """The samples of these draws, in one go where the dataset has PyTorch's `__getitems__`."""
    many: Any = getattr(dataset, "__getitems__", None)
    return many(draws) if many else [dataset[draw] for draw in draws]
