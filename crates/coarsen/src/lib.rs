//! Hierarchical graph pooling on LibTorch: one dependency for the whole workspace.
