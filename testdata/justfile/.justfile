run:
    cargo build
