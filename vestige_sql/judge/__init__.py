"""Judge staged vectors by questions with known answers. Measures and verdict are the SQL files in ``sql/judge``."""
