// Shows what go/parser makes of files, in the form of crates/go_syntax/examples/inspect.rs.
package main

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"reflect"
	"strconv"
	"syscall"
)

const mode = parser.ParseComments | parser.SkipObjectResolution | parser.AllErrors

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	switch os.Args[1] {
	case "check":
		eachFile(func(path string, text []byte) { check(out, path, text) })
	case "dump":
		eachFile(func(path string, text []byte) { dump(out, path, text) })
	case "time":
		rounds, _ := strconv.Atoi(os.Args[3])
		var texts [][]byte
		eachFile(func(_ string, text []byte) { texts = append(texts, text) })
		for range rounds {
			start := cpuSeconds()
			for _, text := range texts {
				_, _, _ = parse(text)
			}
			fmt.Fprintf(out, "%.4f\n", cpuSeconds()-start)
		}
	}
}

func eachFile(visit func(path string, text []byte)) {
	list, err := os.Open(os.Args[2])
	if err != nil {
		panic(err)
	}
	paths := bufio.NewScanner(list)
	for paths.Scan() {
		if text, err := os.ReadFile(paths.Text()); err == nil {
			visit(paths.Text(), text)
		}
	}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func parse(text []byte) (*token.File, *ast.File, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", text, mode)
	var found *token.File
	set.Iterate(func(f *token.File) bool { found = f; return false })
	return found, file, err
}

func check(out *bufio.Writer, path string, text []byte) {
	_, _, err := parse(text)
	fmt.Fprintf(out, "%s\t", path)
	if list, ok := err.(scanner.ErrorList); ok && len(list) > 0 {
		fmt.Fprintf(out, "%d %q", list[0].Pos.Offset, list[0].Msg)
	}
	fmt.Fprintln(out)
}

func dump(out *bufio.Writer, path string, text []byte) {
	file, tree, err := parse(text)
	fmt.Fprintln(out, path)
	if err != nil {
		return
	}
	show := func(kind string, node ast.Node) {
		fmt.Fprintf(out, "%s %d %d\n", kind, file.Offset(node.Pos()), file.Offset(node.End()))
	}
	for _, group := range tree.Comments {
		for _, comment := range group.List {
			// The text of a comment lacks carriage returns: its end follows from what stands in the file.
			fmt.Fprintf(out, "Comment %d %d\n", file.Offset(comment.Pos()), commentEnd(text, file.Offset(comment.Pos())))
		}
	}
	skip := map[ast.Node]bool{}
	ast.Inspect(tree, func(node ast.Node) bool {
		switch n := node.(type) {
		case nil, *ast.File, *ast.CommentGroup, *ast.Comment:
			return node != nil
		case *ast.StructType:
			skip[n.Fields] = true
		case *ast.InterfaceType:
			skip[n.Methods] = true
		case *ast.SwitchStmt:
			skip[n.Body] = true
		case *ast.TypeSwitchStmt:
			skip[n.Assign], skip[n.Body] = true, true
		case *ast.SelectStmt:
			skip[n.Body] = true
		case *ast.Ellipsis:
			if n.Elt == nil {
				return true
			}
		}
		if !skip[node] {
			show(reflect.TypeOf(node).Elem().Name(), node)
		}
		return true
	})
}

func commentEnd(text []byte, start int) int {
	for end := start + 2; end < len(text); end++ {
		if text[start+1] == '/' && text[end] == '\n' {
			return end
		}
		if text[start+1] == '*' && end > start+3 && text[end-1] == '/' && text[end-2] == '*' {
			return end
		}
	}
	return len(text)
}
