//! Laws that every operator obeys, as functions and as tests over every registry.
