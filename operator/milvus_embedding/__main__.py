"""`python -m milvus_embedding`: the command line."""

from milvus_embedding.cli.main import main

if __name__ == "__main__":
    main()
