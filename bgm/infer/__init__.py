"""Inference: frames in (pictures, video), mattes out, plates mended on the way."""
