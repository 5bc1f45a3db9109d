# Completion of sluice(1) in bash.  Verbs and options are asked of the program
# itself, so that this file never lags behind it.

_sluice()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}
	local words

	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "$verb" = help ]; }; then
		words=$(sluice --help 2>/dev/null | sed -n 's/^  sluice \([a-z]*\) .*/\1/p')
		COMPREPLY=($(compgen -W "$words help --help --version" -- "$cur"))
		return
	fi
	case $prev in
	-c | --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	--until) COMPREPLY=($(compgen -W current -- "$cur")); return ;;
	esac
	case $verb in
	table) [ "$COMP_CWORD" -gt 2 ] || COMPREPLY=($(compgen -W 'add remove resync' -- "$cur")) ;;
	decode | list) COMPREPLY=($(compgen -f -- "$cur")) ;;
	esac
	case $cur in
	-*)
		words=$(sluice "$verb" --help 2>/dev/null | sed -n 's/^ .*\(--[a-z-]*\).*/\1/p; s/^  \(-[a-z]\), .*/\1/p')
		COMPREPLY=($(compgen -W "$words" -- "$cur"))
		;;
	esac
}
complete -o filenames -F _sluice sluice
