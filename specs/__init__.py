"""What a study is: its schema, how a file becomes one, and which trials follow from it."""
