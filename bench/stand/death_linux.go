package stand

import "syscall"

// endWithUs has the kernel end a child with this process: a bench that is killed
// leaves nobody behind to disturb the next one.
var endWithUs = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
