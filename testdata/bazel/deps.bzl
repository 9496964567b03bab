load("@rules_oci//oci:pull.bzl", "oci_pull")

PUBLIC_IMAGE = "debian"
_PRIVATE_IMAGE = r"ubuntu"
TWICE = "a"
TWICE = "b"

def images(tag = "1"):
    """Pulls what the tests need.

    Example: oci_pull(image = "in/docs")
    """
    oci_pull(
        name = "public",
        image = PUBLIC_IMAGE,
    )
    oci_pull(name = "private", image = _PRIVATE_IMAGE)
    oci_pull(name = "twice", image = TWICE)
    local = "alpine"
    oci_pull(name = "local", image = local)
    oci_pull(name = "parameter", image = "alpine", tag = tag)
    oci_pull(
        name = "escaped",
        image = "quay.io/acme\
/web",
    )
    oci_pull(name = "conditional", image = "a" if tag else "b")

def oci_pull(image = "default/argument"):
    pass
