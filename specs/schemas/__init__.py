"""The kinds of study, one file each: ``dp_training.py`` holds kind ``dp-training``."""
