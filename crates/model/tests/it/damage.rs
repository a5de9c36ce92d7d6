//! Damaged directories: every file cut, missing, and with flipped bits gives a clear error or loads all the same.
