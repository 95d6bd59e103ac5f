"""The errors of this package, all with messages that can be shown to a person."""


class AgeGenderError(Exception):
    """Root of everything this package raises on purpose."""


class MissingExtraError(AgeGenderError):
    """A command needs libraries that are not installed; the text names the extra that installs them."""


class ImageError(AgeGenderError):
    """A picture that is unreadable or too large."""


class ModelError(AgeGenderError):
    """A model that is unknown, cannot be downloaded, or fails verification."""


class VideoError(AgeGenderError):
    """A video that cannot be read or written."""


class DatasetError(AgeGenderError):
    """A labelled data set that is missing or whose labels make no sense."""


class BatchError(AgeGenderError):
    """A batch source or a folder of results that cannot be used."""
