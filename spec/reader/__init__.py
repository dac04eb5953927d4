"""A second reader of dstore repositories, written from the pages in spec/ alone: plain Python, no packages, clarity before speed."""
