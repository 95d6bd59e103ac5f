"""The errors of this package. The text of each one can be shown to a person as it is."""


class AgeGenderError(Exception):
    """The root: whatever this package raises on purpose is one of these."""


class MissingExtraError(AgeGenderError):
    """A part of the package that needs libraries which are not installed; the text names the extra."""


class ImageError(AgeGenderError):
    """A picture that cannot be read, or that is too large to be."""


class ModelError(AgeGenderError):
    """A model that is unknown, cannot be fetched, or is not the file it should be."""


class VideoError(AgeGenderError):
    """A video that cannot be read or written."""


class DatasetError(AgeGenderError):
    """A labelled data set that is not there, or whose labels make no sense."""


class BatchError(AgeGenderError):
    """A source of a batch, or its folder of results, that cannot be used."""
