"""Face detection: YuNet, the bundled cascade and SSD, with coarse-to-fine search."""
