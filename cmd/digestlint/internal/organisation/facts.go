package organisation

// What is public about the incidents, typed from the reports of those who had
// to say it, not taken from the module's advisories:
//
//   - checkmarx/kics: between 2026-04-22 12:35 and 15:41:31 UTC latest, alpine,
//     debian, v2.1.20 and v2.1.20-debian were bad; v2.1.21 was never good
//     (https://www.docker.com/blog/trivy-kics-and-the-shape-of-supply-chain-attacks-so-far-in-2026/)
//   - aquasec/trivy: 0.69.4 on three registries and latest between 2026-03-19
//     18:22 and 21:42 UTC, 0.69.5 and 0.69.6 on Docker Hub from 2026-03-22
//     (https://github.com/aquasecurity/trivy/security/advisories/GHSA-69fq-xp46-6x23)
const (
	kicsIncident   = "DL-2026-0001"
	trivyIncident  = "DL-2026-0002" // 0.69.4
	trivySecond    = "DL-2026-0003" // 0.69.5, 0.69.6
	debianIncident = "DL-2024-0002"
	kongIncident   = "DL-2024-0001"

	kicsIndex       = "sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d" // alpine, v2.1.20, v2.1.21
	kicsAMD64       = "sha256:d186161ae8e33cd7702dd2a6c0337deb14e2b178542d232129c0da64b1af06e4"
	kicsARM64       = "sha256:415610a42c5b51347709e315f5efb6fffa588b6ebc1b95b24abf28088347791b"
	kicsDebianIndex = "sha256:222e6bfed0f3bb1937bf5e719a2342871ccd683ff1c0cb967c8e31ea58beaf7b"
	kicsLatestIndex = "sha256:a0d9366f6f0166dcbf92fcdc98e1a03d2e6210e8d7e8573f74d50849130651a0"
	kicsLatestAMD64 = "sha256:26e8e9c5e53c972997a278ca6e12708b8788b70575ca013fd30bfda34ab5f48f"
	kicsLatestARM64 = "sha256:7391b531a07fccbbeaf59a488e1376cfe5b27aef757430a36d6d3a087c610322"
	trivy4Index     = "sha256:27f446230c60bbf0b70e008db798bd4f33b7826f9f76f756606f5417100beef3"
	trivy4AMD64     = "sha256:12c702212dee1cbec9471e9261501a3335963321fe76e60e5a715b5acd3c40a2"
	trivy5Index     = "sha256:5aaa1d7cfa9ca4649d6ffad165435c519dc836fa6e21b729a2174ad10b057d2b"
	trivy6Index     = "sha256:425cd3e1a2846ac73944e891250377d2b03653e6f028833e30fc00c1abbc6d33"
	trivy6AMD64     = "sha256:dd8beb3b40df080b3fd7f9a0f5a1b02f3692f65c68980f46da8328ce8bb788ef"

	kicsGood  = "sha256:3e5a268eb8adda2e5a483c9359ddfc4cd520ab856a7076dc0b1d8784a37e2602" // v2.1.20 and latest, before and after
	trivyGood = "sha256:bcc376de8d77cfe086a917230e818dc9f8528e3c852f7b1aff648949b6258d1c" // 0.69.3
)

// listed are the digests above that are bad.
var listed = []string{
	kicsIndex, kicsAMD64, kicsARM64, kicsDebianIndex, kicsLatestIndex, kicsLatestAMD64, kicsLatestARM64,
	trivy4Index, trivy4AMD64, trivy5Index, trivy6Index, trivy6AMD64,
}

// almost is a digest that differs from a listed one in its last digit.
func almost(digest string) string {
	last := "0"
	if digest[len(digest)-1] == '0' {
		last = "1"
	}
	return digest[:len(digest)-1] + last
}
