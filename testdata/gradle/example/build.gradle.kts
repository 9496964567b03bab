jib {
    from { image = "eclipse-temurin:21-jre" }
    to { image = "ghcr.io/acme/shop" }
}
