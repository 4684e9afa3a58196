"""What is wrong with a document."""


class DocumentError(ValueError):
    """What came is no document of the expected format; it never will be.

    Args:
        expected: What would be right.
        got: What came instead, or an empty text.
        why: What a parser says, or an empty text.
    """

    def __init__(self, expected: str, *, got: str = "", why: str = "") -> None:
        self.expected = expected
        self.hint = ", ".join(filter(None, [got and f"got {got}", why]))
        super().__init__(
            f"expected {expected}" + (f", got {got}" if got else "") + (f": {why}" if why else "")
        )
