package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// startGitea serves, under $GITEA, as much of Gitea's API as it takes to list the
// repositories of an organisation and to open a pull request. The repositories
// are the bare ones in the folder that is named, and are cloned from there. Each
// request that is opened is a line "REPOSITORY HEAD BASE TITLE" of the file pulls,
// and one with its text in JSON.
//
// API: https://docs.gitea.com/api/1.22/.
func startGitea(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: gitea FOLDER")
	}
	folder := ts.MkAbs(args[0])
	pulls, err := os.Create(ts.MkAbs("pulls"))
	ts.Check(err)
	ts.Defer(func() { ts.Check(pulls.Close()) })

	type object = map[string]any
	owner := object{"login": "example", "username": "example"}
	repository := func(id int, name string) object {
		return object{"id": id, "name": name, "full_name": "example/" + name, "owner": owner,
			"ssh_url": filepath.Join(folder, name), "default_branch": "main"}
	}
	var mu sync.Mutex
	opened := map[string]object{} // by repository
	answer := func(w http.ResponseWriter, status int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, object{"version": "1.22.0"})
	})
	mux.HandleFunc("GET /api/v1/orgs/example/repos", func(w http.ResponseWriter, _ *http.Request) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		list := []object{}
		for i, e := range entries {
			list = append(list, repository(i+1, e.Name()))
		}
		answer(w, http.StatusOK, list)
	})
	mux.HandleFunc("GET /api/v1/repos/example/{name}/labels", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, []object{})
	})
	mux.HandleFunc("GET /api/v1/repos/example/{name}/commits/{sha}/status", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, object{})
	})
	mux.HandleFunc("GET /api/v1/repos/example/{name}/pulls", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		list := []object{}
		if pull := opened[r.PathValue("name")]; pull != nil {
			list = append(list, pull)
		}
		answer(w, http.StatusOK, list)
	})
	mux.HandleFunc("POST /api/v1/repos/example/{name}/pulls", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Head, Base, Title, Body string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		name := r.PathValue("name")
		body, _ := json.Marshal(in.Body)
		mu.Lock()
		defer mu.Unlock()
		_, _ = pulls.WriteString(name + " " + in.Head + " " + in.Base + " " + in.Title + "\n" + string(body) + "\n")
		side := func(ref string) object {
			return object{"label": ref, "ref": ref, "sha": "0", "repo": repository(1, name)}
		}
		pull := object{"number": 1, "state": "open", "head": side(in.Head), "base": side(in.Base)}
		opened[name] = pull
		answer(w, http.StatusCreated, pull)
	})
	mux.HandleFunc("POST /api/v1/repos/example/{name}/pulls/1/requested_reviewers", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusCreated, []object{})
	})
	server := httptest.NewServer(mux)
	ts.Defer(server.Close)
	ts.Setenv("GITEA", server.URL)
}
