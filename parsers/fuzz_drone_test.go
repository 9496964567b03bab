package parsers

import "testing"

func FuzzDrone(f *testing.F) { fuzzFormat(f, Drone) }
