#include "page.h"

/* The assembler includes the file; the Makefile defines PAGE_HTML as its path. */
__asm__(".section .rodata\n"
		".global page_html, page_html_end\n"
		"page_html:\n"
		".incbin \"" PAGE_HTML "\"\n"
		"page_html_end:\n"
		".previous\n");
