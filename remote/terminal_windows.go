package remote

const canTerminals = false

func loginWords() []string { return []string{""} }
