package parsers

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/digestlint/digestlint/image"
)

// commandCases are command lines, one a line, as a shell would read them. «…»
// stands around an image that is pulled, ‹…› around an output, ⟦…⟧ around a
// word of shell text. "<<shell" at the end says what a here-document would be,
// "<<none" that it would be none of these.
const commandCases = `
# docker run: options with and without values, clusters
docker run «alpine»
docker run «alpine» sh -c ⟦"echo hi"⟧
docker run -it --rm -v $PWD:/w «alpine:3.19» sh
docker run -itd --name x -p8080:80 -eFOO=bar «ghcr.io/a/b:1@sha256:0000»
docker run -v=/a:/b -e A=b -e"B=c d" «nginx» -v /x
docker run -ti -v "$(pwd):/src" -w /src -u "$(id -u):$(id -g)" «golang:1.22» go test ./...
docker run --rm --privileged «multiarch/qemu-user-static:register» --reset
docker run --rm --volume "$(pwd):/helm-docs" -u "$(id -u)" «jnorwood/helm-docs:v1.8.1»
docker run -d --net=host --name otelcol «otel/opentelemetry-collector»
docker run -p 6060:6060 --link db:postgres -d --name clair --restart on-failure «arminc/clair-local-scan:v2»
docker run --rm -- «alpine» sh
docker run --gpus all --ipc=host --ulimit memlock=-1 --shm-size 1g «nvcr.io/nvidia/pytorch:24.01-py3»
docker run --entrypoint /bin/sh «alpine:3» -c ⟦"docker pull x"⟧
docker run --entrypoint=crane «gcr.io/go-containerregistry/crane:debug» digest «foo:1»
docker run --entrypoint "" «alpine:3» docker pull «x:1»
docker run --pull always --platform linux/amd64 «a/b»
docker run --rm=true --init -e X «a/b»
docker run -e X=1 --mount type=image,source=«data:1»,target=/d «alpine»
docker run --mount=type=image,src=«data:1»,dst=/d «alpine»
docker run --mount type=bind,source=/a,target=/b «alpine»
docker run -rm -name x -link db:db -volumes-from y «old/style»
docker run -dns 10.1.1.1 «test/cassandra»
docker run «"$IMG"»
docker run ./script
docker run
docker run --rm
docker run -v
docker run -i «alpine» sh <<shell
docker create --name x «"$image":build» sh
docker container run -d «a/b»
docker container create «a/b» x
docker --context prod -H tcp://h:2375 -l debug run «a/b»
docker -D --tls run «a/b»
docker run «127.0.0.1:5000/x:y»
docker run «Foo/Bar»
docker run sha256:0123 x
docker run «123456789012.dkr.ecr.us-west-2.amazonaws.com/${REPO}:${TAG}» ping -V
docker run «docker.io/library/redis:"$REDIS_IMAGE_TAG"» --save '' --appendonly no
docker run «${{ env.IMAGE }}» sh
docker run «ghcr.io/${{ github.repository }}:${{ github.sha }}»

# options of unknown names
docker run --new-thing «alpine:3»
docker run --new-thing /a/b «alpine»
docker run --new-thing fast «ghcr.io/a/b:1»
docker run --new-thing=fast «alpine»
docker run --new-thing -it «alpine» sh
docker run --new-thing «alpine» sh
docker --new-thing fast run «alpine»
kubectl --new-thing fast run x --image «a:1»

# words that the shell decides
docker run $DOCKER_OPTS «opsee/bartnet»
docker run $DOCKER_OPTS -v "$P:/x" -e A=b «"$IMAGE_NAME"»
docker run --rm $ARGS «$TAG»
docker run --rm $args «"$BASE"» nvidia-smi -L
docker run --rm $args «alpine» sh -c ⟦'cat /x'⟧
docker run --rm $x --name y -dit «$1»
docker run $1 --name login -p 8080:8080 «login»
docker run «$1» cat /go/src/x
docker run «$1»
docker run «$x» --version
docker run «$x» -c "npm test"
docker run «$x» $y
docker run $x «$img»
docker run $x «"$y"» cmd
docker run $x «team/server:1» cmd
docker run «$x» /bin/sh
docker run «$x» $PWD/run.sh
docker run «$x» src/main.py
docker run «$x» localhost:8080
docker run $x «$y:$z»
docker run $SSH $volumes $config -it --privileged -v /tmp -e X=/root --rm «$(cat $iidfile)» ash
docker run «$(docker build -q .)»
docker run -it $(VOLUMES) -w /source «$(IMAGE_NAME)» yarn
docker run -d $ports -h $hostname «$IMAGE_NAME»
docker run -d $PORTS $VOLUMES --network host --name "$C" «"$IMAGENAME"»
docker run "$@"
docker run "$@" «alpine»
docker run "${args[@]}" «alpine:3» sh
docker run ${args[@]}
docker run «$IMAGE_NAME» $ARGS
docker run $IMAGE_OPTS «$OPTS_IMAGE»
docker run «$ARG_OVPN» ovpn_genconfig -u udp://x
docker run $DOCKEROPTS -d --name $1 -v $D:/src «$2» -c timezone=x -c y=1
docker run $(RUN_OPTS) --name $(NAME) «$(IMAGE):$(TAG)»
docker run «$REGISTRY/x:$TAG»
docker run «$A$B» sh
docker run «"$x"» y/z:1
docker run --env-file $f $EXTRA_FLAGS «x/y:$v» $CMD
docker pull $PULL_OPTS «$IMAGE»
docker pull «"${images[@]}"»
docker pull "${refs[@]}"
docker $OPTS pull «x:1»
docker "$cmd" x:1
$SUDO docker pull «x:1»
$X $Y docker pull x:1
sudo $DOCKER run --rm «x:1»
$CONTAINER_ENGINE pull «x:1»
$(CONTAINER_TOOL) build -t ‹${IMG}› .
${{ env.DOCKER }} push ‹x:1›
$KUBECTL run x --image=«y:1»
$DOCKER_COMPOSE run app docker pull «x:1»
$DOCKER_IMAGE run x:1
$(LOCALBIN)/kind create cluster --image «kindest/node:v1.30.0»
docker$EXE pull «x»

# pull, push, tag, build
docker pull «nginx:alpine»
docker pull -q --platform linux/arm64 «nginx@sha256:aa»
docker pull --quiet «a» «b:1»
docker image pull «a/b:1»
docker pull «a:1» ;
docker push ‹a/b:1›
docker push --all-tags ‹a/b›
docker image push -q ‹a/b:1›
docker tag a:1 ‹b:2›
docker image tag "$image:$1" ‹"$image:$2"›
docker build -t ‹a:1› .
docker build -t ‹$IMG› -f $X/Dockerfile --build-arg BASE=alpine:3 --cache-from a/b:cache $X
docker build --tag=‹a:1› --tag ‹b:1› -t‹c:1› -qt ‹d:1› -t=‹e:1› .
docker build --build-context base=docker-image://«alpine:3» --build-context src=../src .
docker build --build-context=base=docker-image://«alpine@sha256:aa» .
docker build --rm --force-rm -t ‹$(REGISTRY)/$(subst /,:,$(DIR))› ./x
docker build image -t ‹gcr.io/k/v:1›
docker build - <<dockerfile
docker build -t ‹x› -f - . <<dockerfile
docker build -f- -t ‹x› . <<dockerfile
docker build --file=- -t ‹x› . <<dockerfile
docker build --pull -t ‹x› .
docker build --secret id=a,src=b --ssh default --target build --progress plain -o out --label a=b .
docker image build -t ‹x› .
docker builder build -t ‹x› .
docker buildx build --load -t ‹${REGISTRY}/guestbook:${VERSION}› .
docker buildx --builder b build --push --platform linux/amd64,linux/arm64 --provenance false --sbom=false -t ‹x:1› .
docker buildx b -t ‹x› .
docker buildx build --output type=image,name=‹a/b:1›,push=true .
docker buildx build -o type=local,dest=out --cache-to type=registry,ref=a/b:cache .
docker buildx bake -f docker-bake.hcl app
docker buildx imagetools create -t ‹a:1› --tag ‹a:2› b:1 c:1
docker buildx imagetools inspect a:1
docker buildx create --name x --driver-opt network=host,image=«moby/buildkit:v0.12.0» --use
docker buildx create --use --name x
docker commit -m "a b" c ‹x:1›
docker container commit --pause c ‹x:1›
docker import - ‹x:1›
docker import -c 'CMD x' x.tar.gz ‹y:1›
docker load -i x.tar
docker save -o x.tar a:1
docker rmi a:1 b:1
docker inspect a:1
docker image inspect a:1
docker image ls a:1 -q
docker images a
docker history a:1
docker scout cves a:1
docker scan a:1
docker trust sign a:1
docker login ghcr.io
docker manifest create --amend ‹a:1› b:1 c:1
docker manifest annotate --arch arm64 a:1 b:1
docker manifest inspect a:1
docker manifest push --purge ‹a:1›
docker service create --name x --replicas 3 -p 80:80 «nginx:1» cmd
docker service create --config source=a,target=/b --with-registry-auth «nginx»
docker service update --image «nginx:2» web
docker service update --image=«nginx:2» --force web
docker stack deploy -c - web <<compose
docker stack deploy -c docker-compose.yml web
docker ps -a
docker cp a:/b c
docker network create a
docker volume create b
docker
docker --version

# compose
docker compose up -d
docker compose -f - up -d <<compose
docker compose --file=- -p x up <<compose
docker-compose -f - up <<compose
docker compose run --rm app docker pull «x:1»
docker compose exec -T app sh -c ⟦'docker pull x'⟧
docker compose rm -f web
docker compose pull nginx
docker-compose -f a.yml run --entrypoint sh app -c ⟦"x"⟧
podman-compose up

# exec and commands within commands
docker exec c docker pull «x:1»
docker exec -it -u root -e A=b c docker pull «x:1»
docker exec -i c bash -lc ⟦"docker pull x"⟧
docker exec c sh -c ⟦"$cmd x"⟧
docker exec -i c bash -s <<shell
docker container exec c crane copy «a:1» ‹b:1›
docker run --rm «img» crane digest «foo:1»
docker run --rm -v /var/run/docker.sock:/var/run/docker.sock «docker:27» docker run --rm «alpine:3» sh -c ⟦'echo'⟧
kubectl exec -it p -n ns -c c -- docker pull «x:1»
kubectl exec p -- sh -c ⟦'docker pull x'⟧
kubectl exec -i p -- bash <<shell
kubectl run x --image=«y:1» --command -- docker pull «z:1»
oc rsh -c x pod docker pull «z:1»

# podman, nerdctl, finch
podman run --pod new:x --userns=keep-id --security-opt label=disable «quay.io/a/b»
podman run --rm --tz local --secret s --systemd always --replace «a/b»
podman run --rootfs /x sh
podman run docker://«docker.io/a/b:1» x
podman run oci-archive:/x.tar y
podman pull docker://«quay.io/a/b»
podman pull dir:/x
podman pull --tls-verify=false --creds u:p «a/b»
podman push ‹$I:$T› ‹$I:latest›
podman push --tls-verify=false ‹a:1› docker://‹b/c:1›
podman push ‹a:1› dir:/x
podman build --platform linux/amd64,linux/arm64 --manifest ‹$I:$T› $D/.
podman build --from «alpine:3» --layers --squash-all -t ‹x› .
podman build --format docker -v /a:/b -t ‹x› .
podman manifest create ‹$I:$T›
podman manifest push --all ‹a:1› docker://‹b/c:1›
podman manifest inspect a:1
podman tag a:1 ‹b:1› ‹c:1›
podman --remote --url ssh://h run «a/b»
podman-remote run «a/b»
podman kube play - <<manifest
podman play kube - <<manifest
podman kube play x.yaml
podman pod create --name x --infra-image «k8s.gcr.io/pause:3.9»
podman machine init --image x
podman container runlabel x y
nerdctl -n k8s.io --snapshotter stargz run -d «a/b»
nerdctl --namespace k8s.io pull --unpack=false «a/b:1»
nerdctl build --namespace k8s.io -t ‹x› .
lima nerdctl run «a/b»
nerdctl.lima run «a/b»
finch run --rm «a/b»
docker.exe run «a/b»
/usr/bin/docker pull «a/b»
./podman pull «a/b»
'C:\Program Files\docker.exe' pull «a/b»
Docker pull a/b
dockerd --debug

# buildah
buildah from «a/b:1»
buildah from --name x --pull «a/b:1»
buildah from scratch.tar
buildah pull «a/b:1»
buildah push ‹a/b:1› docker://‹c/d:1›
buildah bud -t ‹x› -f - . <<dockerfile
buildah build --tag ‹x› .
buildah commit c a:1
buildah run c -- docker pull x

# crane
crane digest «a/b:1»
crane digest --tarball x.tar
crane --insecure manifest --platform linux/amd64 «a:1»
crane config «a:1»
crane pull «a:1» x.tar
crane pull --format=oci «a:1» «b:1» dir
crane push x.tar ‹a:1›
crane copy «a:1» ‹b:1›
crane cp -a «a» ‹b›
crane tag «a:1» latest
crane append -b «base:1» -f l.tar -t ‹new:1›
crane append --base=«base:1» --new_layer l.tar --new_tag=‹new:1›
crane mutate «a:1» -e A=b --tag ‹b:1›
crane export «a:1» - 
crane ls a/b
crane catalog r.io
crane validate --remote «a:1»
crane flatten «a:1» -t ‹b:1›
crane rebase «a:1» --old_base «b:1» --new_base «b:2» -t ‹a:2›
crane index append «a:1» -m «b:1» -t ‹c:1›
crane auth login r.io -u x -p y
crane delete a:1
crane copy «$SRC» ‹$DST›
gcrane cp -r «gcr.io/a» ‹gcr.io/b›

# skopeo
skopeo copy docker://«a/b:1» docker://‹c/d:1›
skopeo copy --all --src-creds u:p --dest-tls-verify=false docker://«a:$T» docker://‹b:$T›
skopeo --override-os linux copy docker://«a:1» dir:/x
skopeo copy docker-daemon:a:1 docker://‹b:1›
skopeo copy docker://«a:1» docker-archive:/x.tar:a:1
skopeo copy oci:x:1 containers-storage:y
skopeo inspect --raw docker://«a:1»
skopeo inspect --format '{{.Digest}}' docker://«a:1»
skopeo inspect oci:x
skopeo copy $SRC $DST
skopeo sync --src docker --dest dir «r.io/busybox» /media
skopeo sync --src yaml --dest docker x.yml r.io/x
skopeo list-tags docker://a/b
skopeo delete docker://a/b:1
skopeo login r.io

# cosign
cosign verify --key cosign.pub «a:1»
cosign verify --certificate-identity-regexp '^https://x' --certificate-oidc-issuer https://t «a@sha256:aa» «b:1»
cosign verify --local-image ./x
cosign sign --yes -a x=y «a@$D»
cosign sign -r --key env://K «a:1»
cosign attest --predicate p.json --type slsaprovenance «a:1»
cosign verify-attestation --type spdx --policy p.cue «a:1»
cosign triangulate «a:1»
cosign copy «a:1» ‹b:1›
cosign download sbom «a:1»
cosign attach sbom --sbom x.json «a:1»
cosign sign-blob x
cosign generate-key-pair

# regctl, oras
regctl image digest «a:1»
regctl image copy --digest-tags «a:1» ‹b:1›
regctl image inspect --platform linux/amd64 «a:1»
regctl image manifest «a:1»
regctl manifest get --format raw-body «a:1»
regctl manifest head «a:1»
regctl index create ‹a:1› --ref «b:1» --ref «c:1»
regctl image copy ocidir://x ‹b:1›
regctl tag ls a/b
regctl repo ls r.io
oras pull «a/b:1» -o x
oras push --artifact-type x/y ‹a/b:1› file.txt:text/plain
oras cp «a:1» ‹b:1›
oras manifest fetch «a:1»
oras repo ls r.io

# kubectl, oc
kubectl run x --image=«busybox» -it --rm --restart=Never -- sh
kubectl run x -n ns --image «busybox:1» --overrides '{"spec": 1}'
kubectl --context c -n ns run x --image=«y:1»
kubectl create deployment x --image=«y:1» --replicas 2
kubectl create deployment x --image=«y:1»,«z:1»
kubectl create deploy x --image «y:1» -- docker pull «z»
kubectl create job x --image=«y:1» -- sh -c ⟦'x'⟧
kubectl create job x --from=cronjob/y
kubectl create cronjob x --schedule '* * * * *' --image «y:1»
kubectl create secret generic x --from-literal=image=y:1
kubectl set image deployment/x c=«y:1» d=«z:$T» --record
kubectl set image deployment x '*=«y:1»' -n ns
kubectl set image -f x.yaml c=«y:1»
kubectl set image deployment/$D $C=«$I»
kubectl set env deployment/x A=b
kubectl debug -it p --image=«busybox:1» --target=c -- sh
kubectl debug node/n -it --image «ubuntu»
kubectl debug p --copy-to=q --set-image=a=«b:1»,c=«d:1»
kubectl apply -f - <<manifest
kubectl apply -n ns --server-side -f- <<manifest
kubectl -n x create -f - <<manifest
kubectl create --filename=- <<manifest
kubectl replace --force -f /dev/stdin <<manifest
kubectl apply -f x.yaml
kubectl delete -f -
kubectl get pods -o jsonpath={.image}
kubectl exec p docker pull x
oc apply -f - <<manifest
oc debug node/n --image=«a/b» -- chroot /host docker pull «x:1»
oc import-image x --from=«r.io/a/b:1» --confirm
oc new-app --docker-image=«a/b:1» --name x
oc new-app --image «a/b:1»
oc new-build nodejs~https://github.com/a/b
oc tag a/b:1 c:1
oc image mirror «a/b:1» ‹c/d:1›
oc image info «a/b:1»
oc image extract «a/b:1» --path /x:.
oc adm release info --commits «quay.io/o/r:1»
oc set image dc/x c=«y:1»
oc project x

# clusters and nodes
kind create cluster --name x --image=«kindest/node:v1.30.0@sha256:aa» --config k.yaml
kind create cluster --image «kindest/node:v1.30.0»
kind load docker-image «a:1» «$B» --name x
kind load docker-image -n x «a:1»
kind build node-image --image ‹x› --base-image «kindest/base:1» $K
kind get clusters
k3d cluster create x --image «rancher/k3s:v1» -p 80:80@loadbalancer --agents 2
k3d cluster create -i «rancher/k3s:v1» x
k3d node create n --image «rancher/k3s:v1»
k3d image import «a:1» x.tar -c x
minikube start --driver docker --base-image «k/b:1»
minikube image load «a:1»
minikube image build -t ‹a:1› .
minikube image tag a:1 ‹b:1›
minikube cache add «a:1»
minikube kubectl -- run x --image=«y:1»
minikube -p x ssh -- docker pull «x:1»
minikube ssh ⟦'docker pull x'⟧
helm install x oci://r.io/c --set image=y:1
ctr images pull «docker.io/library/a:1»
ctr -n k8s.io image pull --platform linux/amd64 «docker.io/library/a:1»
ctr -n=k8s.io i push ‹r.io/a:1›
ctr images tag a:1 ‹b:1›
ctr run --rm -t «docker.io/library/a:1» id docker pull «x»
ctr run --config c.json id cmd
ctr images import x.tar
k3s ctr images pull «docker.io/library/a:1»
k3s kubectl run x --image «y:1»
k3s crictl pull «a:1»
crictl pull --creds u:p «a:1»
crictl -r unix:///x pull «a:1»
crictl rmi a:1
microk8s kubectl run x --image «y:1»

# scanners and others name no image that counts
trivy image --severity HIGH a:1
grype a:1
syft a:1
snyk container test a:1
echo docker pull a:1
git pull a:1
make docker pull
buildctl build --output type=image,name=a:1

# wrappers
sudo docker pull «x»
sudo -E -u root -H docker pull «x»
sudo --user=root -- docker pull «x»
sudo -n A=b docker pull «x»
doas docker pull «x»
env A=b C=d docker pull «x»
env -i -u X PATH=/bin docker pull «x»
A=b docker pull «x»
time docker pull «x»
time -p docker pull «x»
exec docker run «x»
command docker pull «x»
command -v docker
nohup docker run «x»
nice -n 5 docker run «x»
nice -10 docker run «x»
ionice -c 3 nice docker run «x»
timeout 60 docker pull «x»
/usr/local/bin/runner.sh /bin/sh -ce ⟦'docker pull x'⟧
runner.sh bash script docker pull x
timeout -k 5 --signal=KILL 60s docker pull «x»
stdbuf -oL docker run «x»
xargs docker pull
xargs -n1 -P 4 docker pull
xargs docker run --rm «x:1»
xargs -I{} docker pull {}
xargs -I {} docker tag {} r.io/{}
xargs -I IMG docker pull IMG
xargs -I% docker run «x:1» %
xargs -r0 sh -c ⟦'docker pull "$1"'⟧ _
xargs bash <<none
find . -name x -exec docker run --rm «a:1» {} \;
find -type f -exec docker pull {} +
chroot /host docker pull «x»
nsenter -t 1 -m -u -- docker pull «x»
gosu app docker pull «x»
flock -n /tmp/l docker pull «x»
strace -f -o /tmp/x docker pull «x»
systemd-run --user -u x docker run «x»
winpty docker run -it «x»
setsid -w docker run «x»
lxc exec c -- docker pull «x»
sudo
sudo -u
env
timeout 5
sudo env nice timeout 5 docker pull «x»

# shell text
sh -c ⟦"docker pull x"⟧
bash -lc ⟦'docker pull x'⟧ a b
bash -ce ⟦'docker pull x'⟧
bash -euo pipefail -c ⟦'docker pull x'⟧
bash +e -c ⟦'docker pull x'⟧
bash --noprofile --norc -c ⟦"$x"⟧
/bin/sh -xc ⟦'docker pull x'⟧
sudo bash -c ⟦'docker pull x'⟧
bash x.sh
bash x.sh <<none
bash -c ⟦"cat"⟧ <<none
docker run -i «alpine» cat <<none
kubectl delete -f - <<none
kubectl exec -i p -- cat <<none
minikube ssh -- cat <<none
docker build -t ‹x› . <<none
runuser -u app -- cat <<none
bash <<shell
bash -x <<shell
bash -s -- a b <<shell
sudo sh <<shell
bash x.sh docker pull y
eval ⟦"docker pull x"⟧
eval docker pull «x»
eval ⟦"docker run x"⟧ y
su -c ⟦'docker pull x'⟧ user
su - user -c ⟦'docker pull x'⟧
su - user <<shell
runuser -u app -- docker pull «x»
runuser -l app -c ⟦'docker pull x'⟧
trap ⟦'docker rm -f x'⟧ EXIT
ssh host ⟦'docker pull x'⟧
ssh -i k -o A=b -p 22 u@host docker pull «x»
ssh host -p 22 docker pull «x»
ssh host sudo docker pull «x»
ssh host <<shell
ssh -T host bash -s <<shell
ssh host ⟦'bash -s'⟧ <<shell
ssh host ⟦'sudo bash'⟧ <<shell
ssh host ⟦'cat > x'⟧
ssh host ⟦'kubectl apply -f -'⟧ <<manifest
gcloud compute ssh h --zone z --command ⟦'docker pull x'⟧
vagrant ssh -c ⟦'docker pull x'⟧
`

func TestCommand(t *testing.T) {
	n := 0
	for _, line := range strings.Split(commandCases, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		n++
		c := parseCommandCase(line)
		if got := c.render(readCommand(c.words)); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", line, got, c.want)
		}
	}
	if n < 300 {
		t.Errorf("only %d lines", n)
	}
}

func TestCommandEngine(t *testing.T) {
	for _, line := range []string{
		"$X run --rm «alpine:3» sh",
		"$(DOCKER) push ‹a:1›",
		"${CONTAINER_ENGINE} build -t ‹a:1› .",
		"$X compose -f - up <<compose",
		"$X",
		"$X version",
	} {
		c := parseCommandCase(line)
		if got := c.render(readEngine(c.words)); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", line, got, c.want)
		}
	}
	if line := readEngine(nil); len(line.operands) > 0 {
		t.Error("an empty line has operands")
	}
}

func TestCommandOperandFlags(t *testing.T) {
	for _, c := range []struct {
		line            string
		digestOnly, low []bool
	}{
		{"docker pull a:1", []bool{false}, []bool{false}},
		{"podman pull docker://a:1", []bool{false}, []bool{false}},
		{"skopeo copy docker://a:1 docker://b:1", []bool{true, true}, []bool{false, false}},
		{"oras copy a:1 b:1", []bool{false, false}, []bool{true, true}},
		{"oc new-app --image a:1 --docker-image b:1", []bool{false, false}, []bool{true, false}},
	} {
		got := readCommand(parseCommandCase(c.line).words).operands
		if len(got) != len(c.low) {
			t.Errorf("%s: %d operands", c.line, len(got))
			continue
		}
		for i, o := range got {
			if o.digestOnly != c.digestOnly[i] || o.low != c.low[i] {
				t.Errorf("%s: operand %d: digestOnly %v, low %v", c.line, i, o.digestOnly, o.low)
			}
		}
	}
}

// TestCommandNames holds without the names of variables, for callers that don't
// know them.
func TestCommandNames(t *testing.T) {
	for _, line := range []string{
		"docker run «$IMAGE»",
		"docker run $X -it --rm «alpine»",
		"docker run $OPTS «a/b:1» sh",
		"docker run «$IMAGE» sh",
		"docker push ‹$IMAGE›",
		"$DOCKER run a:1",
	} {
		c := parseCommandCase(line)
		for i := range c.words {
			c.words[i].name, c.words[i].quoted = "", false
		}
		if got := c.render(readCommand(c.words)); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", line, got, c.want)
		}
	}
}

// TestCommandTable fails for misspelt words in the table.
func TestCommandTable(t *testing.T) {
	words := map[string]bool{"dashed": true, "piped": true, "login": true}
	seen := map[*command]bool{}
	var check func(path string, c *command)
	check = func(path string, c *command) {
		if seen[c] {
			return
		}
		seen[c] = true
		for _, spec := range strings.Fields(c.options) {
			name, value, valued := strings.Cut(spec, ":")
			if _, ok := valueKinds[value]; valued && !ok {
				t.Errorf("%s: option %q", path, spec)
			}
			bare, flag, flagged := strings.Cut(name, "!")
			if _, ok := flagKinds[flag]; flagged && !ok || bare == "" || bare[0] == '-' {
				t.Errorf("%s: option %q", path, spec)
			}
		}
		for _, token := range strings.Fields(c.operands) {
			_, isOperand := operandKinds[strings.TrimSuffix(token, "*")]
			if _, isTail := tailKinds[token]; !isOperand && !isTail && !words[token] {
				t.Errorf("%s: operand %q", path, token)
			}
		}
		for _, sub := range c.commands {
			if c.operands != "" {
				t.Errorf("%s has operands and subcommands", path)
			}
			check(path+" "+sub.names, sub)
		}
	}
	for name, c := range programs() {
		check(name, c)
	}
	if len(seen) < 100 {
		t.Errorf("only %d commands", len(seen))
	}
}

func TestCommandNesting(t *testing.T) {
	words := make([]word, 0, 100_000)
	for len(words) < cap(words)-3 {
		words = append(words, word{text: "sudo"})
	}
	words = append(words, word{text: "docker"}, word{text: "pull"}, word{text: "a:1"})
	if n := len(readCommand(words).operands); n != 0 {
		t.Errorf("%d operands below %d commands", n, maxCommands)
	}
	if n := len(readCommand(words[len(words)-8:]).operands); n != 1 {
		t.Errorf("%d operands below a few commands", n)
	}
}

func FuzzReadCommand(f *testing.F) {
	for _, line := range strings.Split(commandCases, "\n") {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c := parseCommandCase(line)
		for _, got := range []commandLine{readCommand(c.words), readEngine(c.words)} {
			for _, o := range got.operands {
				if o.word < 0 || o.word >= len(c.words) || o.skip < 0 || o.end <= o.skip || o.end > len(c.words[o.word].text) {
					t.Fatalf("%q: operand %+v out of bounds", line, o)
				}
			}
			for _, s := range got.scripts {
				if s < 0 || s >= len(c.words) {
					t.Fatalf("%q: script %d out of bounds", line, s)
				}
			}
		}
	})
}

// commandCase is one line of commandCases.
type commandCase struct {
	words []word
	want  string // in the form of render
	stdin bool   // the line says what a here-document would be
}

var stdinNames = [...]string{" <<none", " <<shell", " <<manifest", " <<dockerfile", " <<compose"}

// render puts the markers of line into the words.
func (c commandCase) render(line commandLine) string {
	type mark struct {
		at   int
		text string
	}
	marks := make([][]mark, len(c.words))
	put := func(w, start, end int, open, shut string) {
		marks[w] = append(marks[w], mark{start, open}, mark{end, shut})
	}
	for _, o := range line.operands {
		if o.role == image.Output {
			put(o.word, o.skip, o.end, "‹", "›")
		} else {
			put(o.word, o.skip, o.end, "«", "»")
		}
	}
	for _, s := range line.scripts {
		put(s, 0, len(c.words[s].text), "⟦", "⟧")
	}
	var out []string
	for i, w := range c.words {
		sort.SliceStable(marks[i], func(a, b int) bool { return marks[i][a].at < marks[i][b].at })
		var b strings.Builder
		at := 0
		for _, m := range marks[i] {
			b.WriteString(w.text[at:m.at])
			b.WriteString(m.text)
			at = m.at
		}
		b.WriteString(w.text[at:])
		out = append(out, strings.ReplaceAll(b.String(), "\x00", "$"))
	}
	if !c.stdin {
		return fmt.Sprintf("%q", out)
	}
	return fmt.Sprintf("%q%s", out, stdinNames[line.stdin])
}

// parseCommandCase splits a line as a shell does: enough of one for the cases.
func parseCommandCase(line string) commandCase {
	var c commandCase
	var want []string
	var text, marked strings.Builder
	var quote byte
	var stdin string
	begun, quoted, name := false, false, ""
	flush := func() {
		if !begun {
			return
		}
		w := word{text: text.String()}
		if w.text == "\x00" {
			w.name = name
			w.quoted = quoted && name != "@" && !strings.HasSuffix(name, "[@]")
		}
		c.words = append(c.words, w)
		want = append(want, strings.ReplaceAll(marked.String(), "\x00", "$"))
		text.Reset()
		marked.Reset()
		begun, quoted, name = false, false, ""
	}
	for i := 0; i < len(line); {
		if n := marker(line[i:]); n > 0 {
			marked.WriteString(line[i : i+n])
			i += n
			continue
		}
		ch := line[i]
		switch {
		case quote == 0 && ch == ' ':
			flush()
			i++
			continue
		case quote == 0 && strings.HasPrefix(line[i:], "<<"):
			stdin, c.stdin = " "+line[i:], true
			i = len(line)
			continue
		case quote == 0 && ch == '\\' && i+1 < len(line):
			i++
			text.WriteByte(line[i])
			marked.WriteByte(line[i])
		case ch == '"' && quote != '\'' || ch == '\'' && quote != '"':
			if quote == 0 {
				quote = ch
			} else {
				quote = 0
			}
			quoted = true
		case ch == '$' && quote != '\'':
			n := expansion(line[i:])
			name = strings.Trim(line[i+1:i+n], "{}() ")
			text.WriteByte(opaque)
			marked.WriteByte(opaque)
			i += n - 1
		default:
			text.WriteByte(ch)
			marked.WriteByte(ch)
		}
		begun = true
		i++
	}
	flush()
	c.want = fmt.Sprintf("%q%s", want, stdin)
	return c
}

// marker is the length of the marker that s begins with.
func marker(s string) int {
	for _, m := range []string{"«", "»", "‹", "›", "⟦", "⟧"} {
		if strings.HasPrefix(s, m) {
			return len(m)
		}
	}
	return 0
}

// expansion is the length of the $VAR, ${…} or $(…) that s begins with.
func expansion(s string) int {
	if len(s) < 2 {
		return 1
	}
	if s[1] != '{' && s[1] != '(' {
		n := 1
		for n < len(s) && isWordByte(s[n]) {
			n++
		}
		if n == 1 && s[1] == '@' {
			n++
		}
		return n
	}
	depth := 0
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '{', '(':
			depth++
		case '}', ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}
