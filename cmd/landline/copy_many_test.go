package main

import "testing"

func TestPlacesOfManyAreListAndPath(t *testing.T) {
	for _, c := range []struct{ text, list, path string }{
		{"a,b:notes", "a,b", "notes"},
		{"a,b:", "a,b", ""},
		{"web[1-3,7]:/etc:x", "web[1-3,7]", "/etc:x"},
		{"a:80,b:81:x", "a:80,b:81", "x"},
		{"a:80,b:x", "a:80,b", "x"},
		{"@web:x,y", "@web", "x,y"},
		{"[::1],[::2]:80:x", "[::1],[::2]:80", "x"},
		{"unix:/run/[1-2]:x", "unix:/run/[1-2]", "x"},
		{"unix:a,unix:b:x", "unix:a,unix:b", "x"},
		{":x", "", "x"},
	} {
		if list, path, ok := splitPlaces(c.text); !ok || list != c.list || path != c.path {
			t.Errorf("%q is %q of %q, %v", c.text, path, list, ok)
		}
	}
	for _, one := range []string{"shed:a,b", "shed:80:a,b", "shed:80,x", "unix:s:a,b", "unix:s:[1]", "[::1]:[1]", "shed:[1-2]", "shed:@x"} {
		if list, _, _ := splitPlaces(one); isMany(list) {
			t.Errorf("%q is taken for many hosts: %q", one, list)
		}
	}
	if _, _, ok := splitPlaces("a,b"); ok {
		t.Error("there is a path in a,b")
	}
}

func TestFolderOfAHostIsOneComponent(t *testing.T) {
	for text, want := range map[string]string{
		"shed": "shed", "shed:1": "shed:1", "unix:/run/x": "unix:%2Frun%2Fx", ".": "%2E", "..": "%2E%2E", "a%2Fb": "a%252Fb",
	} {
		if got := folderName(host{text: text}); got != want {
			t.Errorf("%q is %q", text, got)
		}
	}
}
