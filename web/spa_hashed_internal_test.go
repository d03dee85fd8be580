package web

import "testing"

// A file that is taken for hashed is kept for a year: when in doubt it isn't.
func TestHashedName(t *testing.T) {
	tests := []struct {
		name string
		want bool
	}{
		// What bundlers make.
		{"index-BX3kf9Qa.js", true}, {"assets/index-BX3kf9Qa.css", true}, {"main.0a1b2c3d4e.js", true}, {"logo.5d5d9eefa31e5e13a6610d9fa7a283bb.svg", true},
		{"chunk-7SQ2LJKX.js", true}, {"main-5YQZ2X3A.js", true}, {"index-D1kWz_9f.js", true}, {"vendor-BaXkQzWR.js", true}, {"bg.5d5d9eefa31e5e13a661.png", true},
		// What they make too, but nobody can tell.
		{"index-DiwrgTda.js", false}, {"vendor-BaXkQzWe.js", false}, {"index-abcdefgh.js", false}, {"index-12345678.js", false}, {"photo-3d5f2a10-4b2c-4c1d-8e9f-4466554a0000.jpg", false}, {"logo-BX3kf9Qa.svg", false}, {"index-Ab-3kf9Q.js", false},
		// What people make.
		{"Roboto-BoldItalic.woff2", false}, {"my-component.js", false}, {"jquery-3.7.1.min.js", false}, {"index.html", false}, {"app.js", false},
		{"apple-splash-2048x2732.png", false}, {"banner-1920X1080.png", false}, {"photo-20260101.jpg", false}, {"photo-20260101T1200Z.jpg", false},
		{"logo-windows11.svg", false}, {"logo-Windows11Dark.svg", false}, {"docs-CHANGELOG.md", false}, {"vendor-HTMLParser.js", false}, {"lib-XMLHttpRequest.js", false},
		{"font-awesome5.css", false}, {"my-component_v2.js", false}, {"report-facade20.pdf", false}, {"doc-1234567a.pdf", false}, {"phone-iPhone15Pro.png", false},
		{"certificate-ISO27001.pdf", false}, {"terms-GDPR2024.pdf", false}, {"AGB-StandJULI2024.pdf", false}, {"tos-EN2024v2.pdf", false},
		{"team-IMG_2041.jpg", false}, {"photo.DSC_0042.jpg", false}, {"guide-HTML5Intro.pdf", false}, {"map-EPSG3857.json", false},
		{"data-USA2024Q1.csv", false}, {"bg-face2face.jpg", false}, {"page-face2face.js", false},
		{"BX3kf9Qa.js", false}, {"x-BX3kf9Q.js", false}, {"index-BX3kf9Qa.js.map", false}, {"a-BX3kf9Qa/app.js", false}, {"x-BX3k%9Qa.js", false}, {"", false},
	}
	for _, tt := range tests {
		if got := hashedName(tt.name); got != tt.want {
			t.Errorf("hashedName(%q) = %v, want %v", tt.name, got, tt.want)
		}
	}
}
