# concmap_warnings(target): the warnings that the project's own code is free of.
function(concmap_warnings target)
    set(c_only -Wstrict-prototypes -Wmissing-prototypes)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Wpointer-arith -Wwrite-strings -Wvla
        "$<$<COMPILE_LANGUAGE:C>:${c_only}>"
        $<$<BOOL:${CONCMAP_WERROR}>:-Werror>)
endfunction()
