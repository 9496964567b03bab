package config

import _ "embed" // the template

// Template is a file that sets nothing, and shows in comments all that there is
// to set. What can be set stands behind "#", what is said of it behind "# ".
//
//go:embed init.yaml
var Template string
