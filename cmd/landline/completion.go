package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion [flags] SHELL",
		Short: "Print what makes a shell complete landline's words",
		Long: `Completion prints a script for bash, zsh, fish or powershell, by which the shell
completes verbs and flags when Tab is pressed.`,
		Example: `  source <(landline completion bash)      for this bash; in ~/.bashrc for all
  landline completion zsh > "${fpath[1]}/_landline"
  landline completion fish > ~/.config/fish/completions/landline.fish
  landline completion powershell | Out-String | Invoke-Expression`,
		Args:      needs(1),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return misused(cmd, fmt.Errorf("%s: no such shell is known", args[0]))
		},
	}
}
