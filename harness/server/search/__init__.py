"""file_search: extract, chunk, index, rank."""
