jib {
    from.image = "docker://gcr.io/distroless/java21-debian12:nonroot"
    to.image = "acme/kts"
}
jib.from.image = "amazoncorretto:21"
tasks.named<BootBuildImage>("bootBuildImage") {
    builder.set("paketobuildpacks/builder-noble-java-tiny")
    runImage.set("docker.io/paketobuildpacks/run-noble-tiny:0.0.5")
}
tasks.withType<BootBuildImage> { builder = "heroku/builder:24" }
tasks.register<Exec>("db") { commandLine("docker", "pull", "mysql:8.4") }
