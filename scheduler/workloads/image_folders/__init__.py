"""Folders of images: their layout and their contents."""
