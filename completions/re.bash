# Completion of re(1) for bash 4 or newer. What may stand where, the program says: re __complete WORD...

# _re_unquote WORD: sets REPLY to the word without its quotes and _re_quote to the one that is still open.
# Nothing in the word is evaluated.
_re_unquote() {
  local word=$1 letter
  REPLY='' _re_quote=''
  while [[ -n $word ]]; do
    letter=${word:0:1} word=${word:1}
    if [[ $letter == "$_re_quote" ]]; then
      _re_quote=''
    elif [[ -z $_re_quote && ($letter == \" || $letter == \') ]]; then
      _re_quote=$letter
    elif [[ $letter == \\ && -z $_re_quote || $letter == \\ && $_re_quote == \" && $word == [\"\\\$\`]* ]]; then
      REPLY+=${word:0:1} word=${word:1}
    else
      REPLY+=$letter
    fi
  done
}

# _re_words: sets _re_line to the words up to the cursor, without quotes, and _re_head to what of the last one
# stands before the part that readline replaces. Readline cuts words at COMP_WORDBREAKS too ("--name=x", "a:b").
_re_words() {
  local rest=${COMP_LINE:0:COMP_POINT} piece joined='' before i
  _re_line=() _re_head=''
  for ((i = 0; i <= COMP_CWORD; i++)); do
    before=$rest rest=${rest#"${rest%%[![:space:]]*}"}
    if [[ $before != "$rest" || $i == 0 ]]; then
      [[ $i == 0 ]] || _re_add "$joined"
      joined=''
    fi
    piece=${COMP_WORDS[i]}
    [[ ${#piece} -le ${#rest} ]] || piece=$rest
    _re_head=$joined
    [[ -z $joined || $piece != [=:@]* ]] || _re_head+=$piece
    joined+=$piece rest=${rest:${#piece}}
  done
  _re_unquote "$_re_head"
  _re_head=$REPLY
  _re_add "$joined"
}

_re_add() {
  _re_unquote "$1"
  _re_line+=("$REPLY")
}

# _re_offer CANDIDATE: into COMPREPLY, quoted as the word on the line is.
_re_offer() {
  local text=${1#"$_re_head"}
  case $_re_quote in
    \') text=${text//\'/\'\\\'\'} ;;
    \") text=${text//\\/\\\\} text=${text//\"/\\\"} text=${text//\$/\\\$} text=${text//\`/\\\`} ;;
    *) printf -v text %q "$text" ;;
  esac
  COMPREPLY+=("$text")
}

_re() {
  local REPLY _re_quote _re_head _re_line line last files=''
  _re_words
  COMPREPLY=()
  last=${_re_line[${#_re_line[@]} - 1]}
  while IFS= read -r line; do
    case $line in
      $'\tfiles') files=yes ;;
      $'\tprograms')
        while IFS= read -r line; do _re_offer "$line"; done < <(compgen -c -- "$last")
        ;;
      *) _re_offer "${line%%$'\t'*}" ;;
    esac
  done < <("${COMP_WORDS[0]/#\~/$HOME}" __complete "${_re_line[@]:1}" 2>/dev/null)
  if [[ -n $files ]]; then
    # Readline completes file names itself where there is nothing else.
    compopt -o bashdefault -o default 2>/dev/null
  elif [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]]; then
    compopt -o nospace 2>/dev/null
  fi
}

complete -F _re re
