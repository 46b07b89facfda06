package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

// completeWithin is how long a shell waits for words at most.
const completeWithin = time.Second

// completeHosts completes HOST by the machines of the LANs that are up here.
func completeHosts(cmd *cobra.Command, args []string, _ string) (words []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 || cmd.Name() == "put" { // whose first words are files of this system
		return nil, cobra.ShellCompDirectiveDefault
	}
	tail, then := "", cobra.ShellCompDirectiveNoFileComp
	if cmd.Name() == "get" {
		tail, then = ":", cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace
	}
	ctx, cancel := context.WithTimeout(context.Background(), completeWithin)
	defer cancel()
	all, _ := lansUp(ctx)
	for _, l := range all {
		for _, m := range l.members(ctx) {
			if m.Name != "" {
				words = append(words, m.Name+"."+l.domain(ctx)+tail)
			}
		}
	}
	return words, then
}

// members returns the machines of the LAN, or none if it does not answer.
func (l *lanClient) members(ctx context.Context) (all []*member) {
	if l.ask(ctx, "GET", "machines", nil, &all) != nil {
		return nil
	}
	return all
}

// completeLAN completes a word by what is known of the LAN that a command's --name means.
func completeLAN(words func(context.Context, *lanClient) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(context.Background(), completeWithin)
		defer cancel()
		name, _ := cmd.Flags().GetString("name")
		l, err := findLAN(ctx, name)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words(ctx, l), cobra.ShellCompDirectiveNoFileComp
	}
}

// portNames are the ports at which there are machines.
func portNames(ctx context.Context, l *lanClient) (names []string) {
	for _, m := range l.members(ctx) {
		if m.Port != "" {
			names = append(names, m.Port)
		}
	}
	return names
}

func forwardNames(ctx context.Context, l *lanClient) (names []string) {
	var all []lanForward
	if l.ask(ctx, "GET", "forwards", nil, &all) != nil {
		return nil
	}
	for _, f := range all {
		names = append(names, f.Proto+":"+f.Local)
	}
	return names
}
