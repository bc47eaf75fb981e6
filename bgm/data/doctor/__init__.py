"""The data doctor: what is wrong with folders of pictures, before a training finds out."""
