package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// variablePrefix starts the names of all variables that are ours.
const variablePrefix = "DIGESTLINT_"

// variableKey is the annotation of a flag that a variable has set: its name.
const variableKey = "digestlint_variable"

// ownNames are the variables of flags that are not called after them; where
// only one command has the flag, it stands before it.
var ownNames = map[string]string{
	"allow-registry":           allowedVariable,
	"advisories update source": sourceVariable,
	"advisories update key":    keyVariable,
}

// withoutVariable are the flags that somebody has to type: what they do can't
// be taken back, or makes no sense twice.
var withoutVariable = []string{"help", "purge", "yes", "version", "stdin-filename", "stdio"}

// variable is the name of the variable that stands for a flag of cmd; empty for
// none. Flags of check, and those that several commands share, are
// DIGESTLINT_FLAG; those of another command, whose names may mean something else
// there, are DIGESTLINT_COMMAND_FLAG.
func variable(cmd *cobra.Command, f *pflag.Flag) string {
	if slices.Contains(withoutVariable, f.Name) {
		return ""
	}
	_, path, _ := strings.Cut(cmd.CommandPath(), " ")
	if name := cmp.Or(ownNames[f.Name], ownNames[path+" "+f.Name]); name != "" {
		return name
	}
	name := f.Name
	if !shared(cmd, f.Name) {
		name = path + "_" + name
	}
	return variablePrefix + strings.ToUpper(strings.NewReplacer("-", "_", " ", "_").Replace(name))
}

// shared reports whether the flag means the same in every command that has it.
func shared(cmd *cobra.Command, flag string) bool {
	if _, path, _ := strings.Cut(cmd.CommandPath(), " "); path == "check" || path == "config show" || cmd.InheritedFlags().Lookup(flag) != nil {
		return true
	}
	var common cobra.Command
	new(input).flags(&common)
	new(network).flags(&common)
	new(baselineFlags).flags(&common)
	return common.Flags().Lookup(flag) != nil
}

// setFlags gives the flags of cmd that are not given the values of their
// variables.
func setFlags(cmd *cobra.Command) error {
	var errs []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := variable(cmd, f)
		text := os.Getenv(name)
		if f.Changed || name == "" || text == "" {
			return
		}
		if err := setFlag(f, text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			return
		}
		f.Changed = true
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[variableKey] = []string{name}
	})
	return errors.Join(errs...)
}

// setFlag sets a flag to a text; a list is separated by spaces.
func setFlag(f *pflag.Flag, text string) error {
	switch f.Value.Type() {
	case "bool":
		if _, err := strconv.ParseBool(text); err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
	case "int":
		if _, err := strconv.Atoi(text); err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
	case "stringArray":
		values := strings.Fields(text)
		if f.Name == "allow-registry" { // hosts have no commas, so these may separate them, too
			values = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			return list.Replace(values)
		}
	}
	return f.Value.Set(text)
}

// origin says where the value of a flag is from: the flag itself, a variable, or
// nothing for its default.
func origin(f *pflag.Flag) string {
	switch {
	case !f.Changed:
		return ""
	case len(f.Annotations[variableKey]) > 0:
		return f.Annotations[variableKey][0]
	}
	return "--" + f.Name
}

// typed reports whether somebody has given the flag on the command line.
func typed(cmd *cobra.Command, name string) bool {
	f := cmd.Flags().Lookup(name)
	return f != nil && strings.HasPrefix(origin(f), "--")
}
