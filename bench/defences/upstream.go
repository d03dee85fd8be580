package main

// upstream is what keeps one user's requests and answers from another's on the
// connections to upstreams.
var upstream = []defence{
	{
		Name: "a connection must be silent before it is used again (G9)", File: "proxy/http1/pool.go",
		Old: "if i.conn.silent() {", New: "if true {",
		Package: "./proxy/http1", Test: "TestUnaskedAnswer",
	},
	{
		Name: "what is behind an answer ends its connection (G9)", File: "proxy/http1/exchange.go",
		Old: "if !flawless || x.conn.in.Buffered() > 0 {", New: "if !flawless {",
		Package: "./proxy/http1", Test: "TestNoReuse",
	},
	{
		Name: "an answer that was not read to its end ends its connection (G9)", File: "proxy/http1/exchange.go",
		Old: "func (x *exchange) Close() error {\n\tx.end(false)", New: "func (x *exchange) Close() error {\n\tx.end(true)",
		Package: "./proxy/http1", Test: "TestGivenUp",
	},
	{
		Name: "who left leaves no connection to others (G9)", File: "proxy/http1/exchange.go",
		Old: "\tif !x.stop() { // the cut may come at any moment\n\t\tflawless = false\n\t}\n", New: "",
		Package: "./proxy/http1", Test: "TestGivenUp",
	},
	{
		Name: "who left is not called for any longer (G16)", File: "proxy/call.go",
		Old: "\tc.ctx.listen()\n", New: "",
		Package: "./proxy", Test: "TestBrowserLeaves",
	},
	{
		Name: "an upload that was not complete ends its connection (G9)", File: "proxy/http1/exchange.go",
		Old: "flawless = x.upload.ended(flawless) && flawless", New: "x.upload.ended(flawless)",
		Package: "./proxy/http1", Test: "TestEarlyAnswer",
	},
	{
		Name: "HTTP/1.0 is trusted with one answer (G9)", File: "proxy/http1/exchange.go",
		Old: " || res.ProtoMajor != 1 || res.ProtoMinor == 0", New: "",
		Package: "./proxy/http1", Test: "TestNoReuse",
	},
	{
		Name: "an answer with two lengths is not read quickly (G9)", File: "proxy/http1/quick.go",
		Old: "if res.ContentLength != unknown {", New: "if false {",
		Package: "./proxy/http1", Test: "TestQuick",
	},
	{
		Name: "nor one with a coding (G9)", File: "proxy/http1/quick.go",
		Old: `case "Transfer-Encoding", "Trailer", "Pragma":`, New: `case "Trailer", "Pragma":`,
		Package: "./proxy/http1", Test: "TestQuick",
	},
	{
		Name: "a quick body ends where its length says (G9)", File: "proxy/http1/quick.go",
		Old: "p = p[:f.left]", New: "_ = p",
		Package: "./proxy/http1", Test: "FuzzQuick",
	},
	{
		Name: "the body of an impossible answer is not the next answer (G9)", File: "proxy/http1/exchange.go",
		Old: "case res.StatusCode < http.StatusContinue:", New: "case false:",
		Package: "./proxy/http1", Test: "TestAnswers",
	},
	{
		Name: "two users never have one connection", File: "proxy/http1/pool.go",
		Old: "p.push(&idle{conn: i.conn, since: i.since})", New: "p.push(i)",
		Package: "./proxy/http1", Test: "TestReapWhileTaking",
	},
	{
		Name: "no more of a body is sent than its length (G9)", File: "proxy/http1/upload.go",
		Old: "p = p[:min(length, int64(len(p)))]", New: "p = p[:pieceSize]",
		Package: "./proxy/http1", Test: "TestBodyLength",
	},
	{
		Name: "nor less, unnoticed (G9)", File: "proxy/http1/upload.go",
		Old: "\t\tcase err == io.EOF:\n\t\t\treturn &bodyError{io.ErrUnexpectedEOF}\n", New: "\t\tcase err == io.EOF:\n\t\t\treturn u.out.Flush()\n",
		Package: "./proxy/http1", Test: "TestBodyLength",
	},
	{
		Name: "an upstream sees that a body has failed", File: "proxy/http1/upload.go",
		Old: "\t\tu.conn.cut()\n", New: "",
		Package: "./proxy/http1", Test: "TestBodyLength",
	},
	{
		Name: "a body that is not wanted is not sent", File: "proxy/http1/exchange.go",
		Old: "\t\tx.upload.decide(false)\n", New: "",
		Package: "./proxy/http1", Test: "TestExpectContinue",
	},
	{
		Name: "control characters end no line of ours (G9)", File: "proxy/http1/head.go",
		Old: "if c := v[i]; c < ' ' && c != '\\t' || c == 0x7f {", New: "if c := v[i]; c == 0x7f {",
		Package: "./proxy/http1", Test: "TestRequestsRefused",
	},
	{
		Name: "the framing is ours, in whatever case it is said (G9)", File: "proxy/http1/head.go",
		Old: "strings.EqualFold(name, \"Content-Length\")", New: "name == \"Content-Length\"",
		Package: "./proxy/http1", Test: "TestRequests",
	},
	{
		Name: "upstreams are no tunnels and no proxies (G1)", File: "proxy/http1/head.go",
		Old: " || req.Method == http.MethodConnect", New: "",
		Package: "./proxy/http1", Test: "TestRequestsRefused",
	},
	{
		Name: "what may have been done is not asked for again", File: "proxy/http1/exchange.go",
		Old: "\treturn !x.sent\n", New: "\treturn true\n",
		Package: "./proxy/http1", Test: "TestClosedUnderWay",
	},
	{
		Name: "nor what was answered in part", File: "proxy/http1/exchange.go",
		Old: "if x.upload != nil || x.conn.got {", New: "if x.upload != nil {",
		Package: "./proxy/http1", Test: "TestClosedUnderWay",
	},
	{
		Name: "nothing is asked for a third time", File: "proxy/http1/transport.go",
		Old: "p.take(ctx, again)", New: "p.take(ctx, again && false)",
		Package: "./proxy/http1", Test: "TestRepeatedOnce",
	},
	{
		Name: "an answer's head has its limit (G16)", File: "proxy/http1/conn.go",
		Old: "\tif r.room <= 0 {\n\t\treturn 0, ErrHeader\n\t}\n\tn, err := r.Conn.Read(p[:min(int64(len(p)), r.room)])\n", New: "\tn, err := r.Conn.Read(p)\n",
		Package: "./proxy/http1", Test: "TestHeadLimit",
	},
	{
		Name: "why a connection broke is kept", File: "proxy/http1/conn.go",
		Old: "\tr.broke = err\n", New: "",
		Package: "./proxy/http1", Test: "TestBrokenConnections",
	},
	{
		Name: "a redirect to another spelling of the upstream stays on the route (G13)", File: "proxy/route.go",
		Old: "to != origin(rt.Upstream) && to", New: "u.Host != rt.Upstream.Host && to",
		Package: "./proxy", Test: "TestLocationWithDefaultPort",
	},
	{
		Name: "nothing is sent for who has left before", File: "proxy/http1/pool.go",
		Old: "\tif err := ctx.Err(); err != nil {\n\t\treturn nil, err\n\t}\n", New: "",
		Package: "./proxy/http1", Test: "TestCancelledBefore",
	},
}
