"""The webcam: frames in, annotated frames out, while a page watches."""
