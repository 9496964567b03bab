// Called by other repositories.
def call(Map config, String image = 'example/default:1') {
    docker.image(image).inside {
        sh "docker run ${config.image}"
    }
    helper('example/seen:1')
}

def helper(name) {
    docker.image(name).pull()
}
