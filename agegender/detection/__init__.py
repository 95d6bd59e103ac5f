"""RGB images to faces: YuNet, the bundled cascade, SSD, and looking closely only where in doubt."""
