module github.com/digestlint/digestlint

go 1.25.5
