# Completion of re(1) for fish. What may stand where, the program says: re __complete WORD...

function __re_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    # The word without its quotes, which may still be open.
    set -l plain (string unescape -- $current; or string unescape -- $current\'; or string unescape -- $current\")[1]
    for line in ($words[1] __complete $words[2..-1] "$plain" 2>/dev/null)
        switch $line
            case \tfiles
                set -l option (string match -r -- '^--[^=]+=' $current)
                for file in (__fish_complete_path (string replace -- "$option" '' $current))
                    echo -- "$option$file"
                end
            case \tprograms
                __fish_complete_command
            case '*'
                echo -- $line
        end
    end
end

complete -c re -f -a '(__re_complete)'
