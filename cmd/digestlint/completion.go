package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/advisories"
)

// shells are those that completion is written for.
var shells = []string{"bash", "fish", "powershell", "zsh"}

func (a *app) completion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "write the script that completes commands, flags, rules and formats in a shell",
		Long: `completion writes a script for bash, zsh, fish or powershell. The shell reads it at its
start; it then asks digestlint itself what may stand next.`,
		Example: `  source <(digestlint completion bash)                          in ~/.bashrc; needs bash-completion
  digestlint completion zsh > "${fpath[1]}/_digestlint"         once; needs compinit
  digestlint completion fish > ~/.config/fish/completions/digestlint.fish
  digestlint completion powershell | Out-String | Invoke-Expression`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.stdout)
			}
			return fmt.Errorf("%q: there is completion for %s", args[0], strings.Join(shells, ", "))
		},
	}
}

// complete makes the shell complete the values of a flag.
func complete(c *cobra.Command, flag string, names []string) {
	// The one error is that of a flag which does not exist, or is completed
	// already.
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
}

// advisoryIDs completes the IDs of advisories that are not there yet.
func advisoryIDs(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	for _, adv := range advisories.All() {
		if !slices.Contains(args, adv.ID) {
			ids = append(ids, adv.ID+"\t"+adv.Title)
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
