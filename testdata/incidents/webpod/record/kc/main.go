// Kc asks the API server with the token of the pod that it runs in: what an
// intruder brings along where there is neither curl nor kubectl.
//
//	kc METHOD PATH [FILE]     prints what is answered, and sends FILE
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	if err := ask(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kc:", err)
		os.Exit(1)
	}
}

func ask(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: kc METHOD PATH [FILE]")
	}
	token, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/token")
	if err != nil {
		return err
	}
	var body io.Reader
	if len(args) > 2 {
		text, err := os.ReadFile(args[2])
		if err != nil {
			return err
		}
		body = strings.NewReader(string(text))
	}
	server := "https://" + os.Getenv("KUBERNETES_SERVICE_HOST") + ":" + os.Getenv("KUBERNETES_SERVICE_PORT")
	req, err := http.NewRequest(args[0], server+args[1], body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+string(token))
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}
