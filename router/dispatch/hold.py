"""The commit rule: frames without generated content are held back, so that a failure before the first
content is a plain failure of the call, and may be made good elsewhere. The same for all dialects.
"""

from dataclasses import dataclass, field
from typing import Final

from router.providers.adapter import Frame

MAX_HELD_FRAMES: Final = 64
MAX_HELD_BYTES: Final = 256 * 1024
"""What is held back before the first content; a stream that sends more without any is committed."""


@dataclass(slots=True)
class Hold:
    """Frames held back until the first content."""

    is_open: bool = True
    frames: list[Frame] = field(default_factory=list)
    size: int = 0

    def pass_on(self, frames: list[Frame]) -> list[Frame]:
        """Take new frames and return those that may leave now."""
        if not self.is_open:
            return frames
        self.frames += frames
        self.size += sum(len(f.payload) for f in frames)
        is_full = len(self.frames) > MAX_HELD_FRAMES or self.size > MAX_HELD_BYTES
        if is_full or any(f.is_content for f in frames):
            return self.release()
        return []

    def release(self) -> list[Frame]:
        """Commit: return all that was held."""
        self.is_open = False
        held, self.frames = self.frames, []
        return held
