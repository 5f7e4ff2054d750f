# concmap_warnings(target): the warnings that the project's own code is free of. Public headers are held to -Wpedantic as well,
# by tools/check-headers; the sources are GNU C.
function(concmap_warnings target)
    set(c_only -Wstrict-prototypes -Wmissing-prototypes)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wshadow -Wconversion -Wundef -Wpointer-arith -Wwrite-strings -Wvla
        "$<$<COMPILE_LANGUAGE:C>:${c_only}>"
        $<$<BOOL:${CONCMAP_WERROR}>:-Werror>)
endfunction()
