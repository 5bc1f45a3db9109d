#include "page.h"

/* The assembler takes the file in; PAGE_HTML is its path, from the Makefile. */
__asm__(".section .rodata\n"
		".global page_html, page_html_end\n"
		"page_html:\n"
		".incbin \"" PAGE_HTML "\"\n"
		"page_html_end:\n"
		".previous\n");
