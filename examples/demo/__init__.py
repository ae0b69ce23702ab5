"""The demonstration behind `make reembed`: a corpus, an old model, a new model and questions."""
