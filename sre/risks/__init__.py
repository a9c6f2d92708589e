"""The risk register of a workspace, `risks.yaml`: what may happen, how grave it is, what is done about it, who looks
after it, and whether a drill has shown that the controls hold.
"""
