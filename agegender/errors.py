"""The errors of this package. The text of each one can be shown to a person as it is."""


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
    """A batch's source or its folder of results that cannot be used."""
