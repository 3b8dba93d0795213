"""BlockDance-Ada: a small network that looks at a picture in the making and decides which of its steps to reuse."""
